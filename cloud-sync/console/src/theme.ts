// Light, dark, or as the system says (the default). The choice is kept in this browser and only changes `color-scheme`;
// every colour of the style sheet is a light-dark() pair that follows it.
import { effect, signal } from '@preact/signals';

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'rivulet.theme';

export const theme = signal<Theme>('auto');
/** Rises whenever colours change, for what is drawn on a canvas. */
export const coloursVersion = signal(0);

export function startTheme(page: HTMLElement, storage: Storage | null, dark: MediaQueryList): void {
  const kept = storage?.getItem(KEY);
  theme.value = THEMES.find((name) => name === kept) ?? 'auto';
  effect(() => {
    page.dataset.theme = theme.value;
    coloursVersion.value = coloursVersion.peek() + 1;
    try {
      storage?.setItem(KEY, theme.value);
    } catch {
      // A browser that keeps nothing still shows the choice until it is closed.
    }
  });
  dark.addEventListener('change', () => {
    coloursVersion.value = coloursVersion.peek() + 1;
  });
}
