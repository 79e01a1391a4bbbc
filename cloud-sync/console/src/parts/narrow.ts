// Whether the page is as narrow as a phone, where tables become lists instead of being squeezed.
import { signal } from '@preact/signals';

const query = matchMedia('(max-width: 46rem)');

export const narrow = signal(query.matches);
query.addEventListener('change', () => {
  narrow.value = query.matches;
});
