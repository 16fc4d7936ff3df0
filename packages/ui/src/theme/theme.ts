/** The look of Fieldline: steel greys, one petrol accent, small type, tight spacing. Mantine reads it; theme.css has the rest. */
import { createTheme, type MantineColorsTuple } from '@mantine/core';

const petrol: MantineColorsTuple = [
  '#e8f5f9',
  '#d0e9f1',
  '#a3d5e4',
  '#74c3da',
  '#4fb4d1',
  '#2b98b7',
  '#147e9c',
  '#0b6a88',
  '#09566f',
  '#063f52',
];
const steel: MantineColorsTuple = [
  '#f8fafa',
  '#f3f5f6',
  '#e8edef',
  '#dde4e7',
  '#c5d0d5',
  '#9dabb4',
  '#5f6f7a',
  '#485863',
  '#2b3944',
  '#131f28',
];
const night: MantineColorsTuple = [
  '#e3eaee',
  '#c3ced5',
  '#a0afb9',
  '#7f8f9a',
  '#33434e',
  '#24313a',
  '#182229',
  '#131b20',
  '#0d1317',
  '#090d10',
];

export const theme = createTheme({
  primaryColor: 'petrol',
  primaryShade: { light: 7, dark: 4 },
  autoContrast: true,
  luminanceThreshold: 0.32,
  colors: { petrol, gray: steel, dark: night },
  black: '#131f28',
  fontFamily: 'var(--fl-font)',
  fontFamilyMonospace: 'var(--fl-font-mono)',
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.25rem' },
  lineHeights: { xs: '1.35', sm: '1.4', md: '1.45', lg: '1.45', xl: '1.4' },
  spacing: { xs: '0.5rem', sm: '0.75rem', md: '1rem', lg: '1.5rem', xl: '2rem' },
  headings: { fontWeight: '600', fontFamily: 'var(--fl-font)' },
  radius: { xs: '2px', sm: '4px', md: '6px', lg: '8px', xl: '12px' },
  defaultRadius: 'sm',
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Button: { defaultProps: { size: 'xs' } },
    ActionIcon: { defaultProps: { variant: 'subtle', color: 'gray', size: 'md' } },
    TextInput: { defaultProps: { size: 'sm' } },
    PasswordInput: { defaultProps: { size: 'sm' } },
    Select: { defaultProps: { size: 'sm', comboboxProps: { shadow: 'md' } } },
    Modal: { defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.5, blur: 2 } } },
    Tooltip: { defaultProps: { withArrow: true, openDelay: 300 } },
    Menu: { defaultProps: { shadow: 'md' } },
  },
});
