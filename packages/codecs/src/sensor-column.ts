/**
 * One Column message of SensorData (proto/fieldline/v1/telemetry.proto), as far as it can be read by itself: numbers in
 * a list, texts and quality as places in the payload. Used again for every column, so that none makes an object.
 */
import { DecodeError } from './codec.ts';
import { NumberList } from './number-list.ts';
import { WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, WIRE_VARINT, type WireReader } from './wire-reader.ts';

export type ColumnKind = 'none' | 'number' | 'integer' | 'boolean' | 'text' | 'mixed';

const DOUBLES = 3;
const FLOATS = 4;
const INTEGERS = 5;
const BOOLEANS = 7;
const TEXTS = 8;

export class SensorColumn {
  /** Numbers as they stand in the column, or booleans; for texts where each starts. */
  readonly values = new NumberList();
  /** For texts: where each ends. */
  readonly textEnds = new NumberList();
  readonly timeDeltas = new NumberList();
  interval = 0;
  decimals = 0;
  kind: ColumnKind = 'none';
  metricStart = 0;
  metricEnd = 0;
  unitStart = 0;
  unitEnd = 0;
  qualityStart = 0;
  qualityEnd = 0;
  #valuesField = 0;

  /** Reads the column that ends at `end`. Throws where it has more than samplesMax values. */
  read(reader: WireReader, end: number, samplesMax: number): void {
    this.#reset();
    const endOfMessage = reader.end;
    reader.end = end;
    while (reader.next()) {
      switch (reader.fieldNumber) {
        case 1:
          this.metricEnd = bytesField(reader);
          this.metricStart = lastStart;
          break;
        case 2:
          this.unitEnd = bytesField(reader);
          this.unitStart = lastStart;
          break;
        case DOUBLES:
        case FLOATS:
        case INTEGERS:
        case BOOLEANS:
          this.#noteKind(reader.fieldNumber);
          readNumbers(reader, elementWireType(reader.fieldNumber), reader.fieldNumber, this.values, samplesMax);
          break;
        case 6:
          reader.expect(WIRE_VARINT);
          this.decimals = reader.readUnsigned();
          break;
        case TEXTS:
          this.#noteKind(TEXTS);
          checkCount(this.values.count + 1, samplesMax);
          this.textEnds.push(bytesField(reader));
          this.values.push(lastStart);
          break;
        case 9:
          this.qualityEnd = bytesField(reader);
          this.qualityStart = lastStart;
          break;
        case 10:
          readNumbers(reader, WIRE_VARINT, INTEGERS, this.timeDeltas, samplesMax);
          break;
        case 11:
          reader.expect(WIRE_VARINT);
          this.interval = reader.readUnsigned();
          break;
        default:
          reader.skip();
      }
    }
    reader.end = endOfMessage;
  }

  #noteKind(field: number): void {
    if (this.#valuesField === field) return;
    if (this.#valuesField !== 0) this.kind = 'mixed';
    else this.kind = KIND_OF_FIELD[field]!;
    this.#valuesField = field;
  }

  #reset(): void {
    this.values.clear();
    this.textEnds.clear();
    this.timeDeltas.clear();
    this.interval = 0;
    this.decimals = 0;
    this.kind = 'none';
    this.metricStart = this.metricEnd = 0;
    this.unitStart = this.unitEnd = 0;
    this.qualityStart = this.qualityEnd = 0;
    this.#valuesField = 0;
  }
}

const KIND_OF_FIELD: Readonly<Record<number, ColumnKind>> = {
  [DOUBLES]: 'number',
  [FLOATS]: 'number',
  [INTEGERS]: 'integer',
  [BOOLEANS]: 'boolean',
  [TEXTS]: 'text',
};

/** Where the field read last by bytesField starts. */
let lastStart = 0;

/** Passes over a length-delimited field: its end is returned, its start is in lastStart. */
function bytesField(reader: WireReader): number {
  reader.expect(WIRE_BYTES);
  const end = reader.readLengthDelimited();
  lastStart = reader.position;
  reader.position = end;
  return end;
}

function elementWireType(field: number): number {
  return field === DOUBLES ? WIRE_FIXED64 : field === FLOATS ? WIRE_FIXED32 : WIRE_VARINT;
}

/** Reads a repeated number, packed or one by one (a decoder must take both), onto the list. */
export function readNumbers(
  reader: WireReader,
  elementType: number,
  field: number,
  into: NumberList,
  samplesMax: number,
): void {
  if (reader.wireType !== WIRE_BYTES) {
    reader.expect(elementType);
    checkCount(into.count + 1, samplesMax);
    into.push(readElement(reader, field));
    return;
  }
  const end = reader.readLengthDelimited();
  const endOfMessage = reader.end;
  reader.end = end;
  if (field === DOUBLES) {
    checkCount(into.count + Math.floor((end - reader.position) / 8), samplesMax);
    while (reader.position < end) into.push(reader.readDouble());
  } else {
    while (reader.position < end) {
      checkCount(into.count + 1, samplesMax);
      into.push(readElement(reader, field));
    }
  }
  reader.end = endOfMessage;
}

function readElement(reader: WireReader, field: number): number {
  switch (field) {
    case DOUBLES:
      return reader.readDouble();
    case FLOATS:
      return reader.readFloat();
    case BOOLEANS:
      return reader.readUnsigned() === 0 ? 0 : 1;
    default:
      return reader.readZigzag();
  }
}

function checkCount(count: number, samplesMax: number): void {
  if (count <= samplesMax) return;
  throw new DecodeError(
    'PAYLOAD_OVER_LIMIT',
    `the payload has more than ${samplesMax} samples; send them in several messages`,
  );
}
