// Conversions between units that sensors use, as the core follows them: ((value + before) × times) ÷ by + after, in numbers that are
// exact where the definition is (BIPM, The International System of Units; NIST SP 811, appendix B).

/** `[before, times, by, after]`. */
export type Linear = [number, number, number, number];

const factor = (times: number, by = 1): Linear => [0, times, by, 0];

const CONVERSIONS: Readonly<Record<string, Linear>> = {
  '°F → °C': [-32, 5, 9, 0],
  '°C → °F': [0, 9, 5, 32],
  'K → °C': [0, 1, 1, -273.15],
  '°C → K': [0, 1, 1, 273.15],
  'Pa → hPa': factor(1, 100),
  'hPa → Pa': factor(100),
  'kPa → hPa': factor(10),
  'bar → hPa': factor(1000),
  'mbar → hPa': factor(1),
  'inHg → hPa': factor(33.863_89),
  'psi → hPa': factor(68.947_57),
  'mV → V': factor(1, 1000),
  'mA → A': factor(1, 1000),
  'mW → W': factor(1, 1000),
  'kW → W': factor(1000),
  'W → kW': factor(1, 1000),
  'Wh → kWh': factor(1, 1000),
  'J → Wh': factor(1, 3600),
  'km/h → m/s': factor(1000, 3600),
  'mph → m/s': factor(0.447_04),
  'kn → m/s': factor(1852, 3600),
  'ft → m': factor(0.3048),
  'in → mm': factor(25.4),
  'gal → L': factor(3.785_411_784),
  'lb → kg': factor(0.453_592_37),
  'min → s': factor(60),
  'h → s': factor(3600),
  'ms → s': factor(1, 1000),
};

/** The conversions there are, for messages. */
export const UNITS: readonly string[] = Object.keys(CONVERSIONS);

/** What `°F → °C` (or `°F -> °C`) does; null when it is not known. */
export function conversion(text: string): Linear | null {
  const name = text.trim().replace(/\s*(?:→|->)\s*/, ' → ');
  return Object.hasOwn(CONVERSIONS, name) ? (CONVERSIONS[name] as Linear) : null;
}

/** A factor and an addend. A factor that is one over an integer divides, so that decimals come out as they are meant. */
export function scaling(scale: number, offset: number): Linear {
  const inverse = Math.round(1 / scale);
  return 1 / inverse === scale ? [0, 1, inverse, offset] : [0, scale, 1, offset];
}
