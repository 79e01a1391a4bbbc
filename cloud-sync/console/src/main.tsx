// The console from start to end: follow the coordinator, keep the slower lists fresh, draw.
import { render } from 'preact';
import { Console } from './console.tsx';
import { browser } from './live/browser.ts';
import { follow } from './live/follow.ts';
import { keepFresh } from './live/refresh.ts';
import { connection, now, takeFleet } from './live/store.ts';
import { route, routeOf } from './route.ts';
import './style/tokens.css';
import './style/base.css';
import './style/layout.css';
import './style/table.css';
import './style/task.css';
import 'uplot/dist/uPlot.min.css';
import './style/curve.css';
import { startTheme } from './theme.ts';

startTheme(document.documentElement, storageOrNone(), matchMedia('(prefers-color-scheme: dark)'));

const readRoute = (): void => {
  route.value = routeOf(location.hash);
};
addEventListener('hashchange', readRoute);
readRoute();

const refreshSoon = keepFresh({ ...browser, visible: () => document.visibilityState === 'visible' });
addEventListener('hashchange', refreshSoon);

const following = follow(browser, {
  fleet: takeFleet,
  connection: (next) => {
    connection.value = next;
  },
  news: refreshSoon,
});
browser.every(1000, () => {
  now.value = browser.now();
});

const root = document.getElementById('console');
if (root === null) throw new Error('index.html has no element "console"');
render(<Console retry={following.retry} />, root);

/** Browsers may forbid storage altogether. */
function storageOrNone(): Storage | null {
  try {
    return localStorage;
  } catch {
    return null;
  }
}
