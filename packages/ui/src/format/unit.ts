/** UCUM codes as people write them: Cel → °C, m3/h → m³/h. Unknown codes stay as they are. */

const SYMBOLS: Readonly<Record<string, string>> = {
  Cel: '°C',
  '[degF]': '°F',
  K: 'K',
  deg: '°',
  Ohm: 'Ω',
  ohm: 'Ω',
  '1': '',
  '[psi]': 'psi',
  'rad/s': 'rad/s',
  '{rpm}': 'rpm',
  '/min': '1/min',
  '[g]': 'g',
};
const SUPERSCRIPTS: Readonly<Record<string, string>> = { '2': '²', '3': '³', '-1': '⁻¹', '-2': '⁻²' };

/** The unit to print after a value; '' where there is none. */
export function displayUnit(code: string): string {
  const known = SYMBOLS[code];
  if (known !== undefined) return known;
  return code
    .replace(/^u(?=[A-Za-z])/, 'µ')
    .replace(/([a-z])(-?[123])(?=$|[./])/gi, (all, letter: string, power: string) => {
      const sign = SUPERSCRIPTS[power];
      return sign === undefined ? all : `${letter}${sign}`;
    })
    .replaceAll('.', '·')
    .replace(/[{}]/g, '');
}
