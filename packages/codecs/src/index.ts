export * from './codec.ts';
export * from './decoded-batch.ts';
export * from './encode/json.ts';
export * from './encode/protobuf.ts';
export { jsonCodec } from './json.ts';
export { protobufCodec } from './protobuf.ts';
export { CODECS, codecById } from './registry.ts';
export { unsCodec } from './uns.ts';
