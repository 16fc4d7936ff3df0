/** What the bundler takes beside TypeScript: style sheets, imported for their effect. */
declare module '*.css';
declare module '@fontsource-variable/inter';
