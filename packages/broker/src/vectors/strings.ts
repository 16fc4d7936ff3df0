/** Strings that are not well-formed UTF-8 (MQTT 5, 1.5.4; MQTT 3.1.1, 1.5.3), and odd ones that are. */

export const BAD_STRINGS: readonly (readonly [name: string, hex: string])[] = [
  ['U+0000', '00'],
  ['U+0000 among letters', '610062'],
  ['U+0000 as two bytes', 'c080'],
  ['a high surrogate', 'eda080'],
  ['a low surrogate', 'edbfbf'],
  ['a pair of surrogates', 'eda0bdedb880'],
  ['an over-long slash', 'c0af'],
  ['an over-long slash of three bytes', 'e080af'],
  ['a code point beyond U+10FFFF', 'f4908080'],
  ['a sequence of five bytes', 'f888808080'],
  ['a continuation byte alone', '80'],
  ['a sequence that is cut off', 'e282'],
  ['a wrong continuation byte', 'c328'],
  ['0xFF', 'ff'],
];

/** May be sent: U+FEFF stays [MQTT-1.5.4-3]; control and non-characters SHOULD NOT be sent, and are taken. */
export const ODD_STRINGS: readonly (readonly [name: string, hex: string])[] = [
  ['U+FEFF', 'efbbbf61'],
  ['U+10FFFF', 'f48fbfbf'],
  ['an emoji', 'f09f9a82'],
  ['U+0001', '0161'],
  ['U+FFFF', 'efbfbf'],
];

/** The number of the statement that such a string breaks. */
export function stringClause(name: string, version: 4 | 5): string {
  const statement = name.startsWith('U+0000') ? 2 : 1;
  return `MQTT-1.5.${version === 5 ? 4 : 3}-${statement}`;
}
