// What `npm start` runs.
import { launch } from '../bin/launch.js';

await launch(import.meta.url, async () => (await import('./main.ts')).main);
