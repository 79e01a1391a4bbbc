/** How a report looks, by day and by night: the reader's system decides. Colours can be told apart with impaired colour vision. */

/** Colours of lines; further ones begin again. */
export const COLOURS = 6;

const LIGHT = ['#0072b2', '#c04f00', '#00795a', '#8f3d9e', '#946300', '#4a5568'];
const DARK = ['#5bb4ee', '#ff9d5c', '#3ecf9f', '#d79be3', '#e6c04f', '#b7c0cc'];

function palette(colours: readonly string[], ink: string, soft: string, grid: string, page: string): string {
  const lines = colours.map((colour, at) => `--c${at}:${colour};`).join('');
  return `${lines}--ink:${ink};--soft:${soft};--grid:${grid};--page:${page};`;
}

const COLOUR_RULES = LIGHT.map((_, at) => `.c${at}{stroke:var(--c${at})}.t${at}{fill:var(--c${at})}`).join('\n');

/** Rules for charts; variables are set on the outermost element. */
export const CHART_STYLE = `:root{color-scheme:light dark;${palette(LIGHT, '#1a2330', '#5a6675', '#e2e7ed', '#ffffff')}}
@media (prefers-color-scheme: dark){:root{${palette(DARK, '#e8edf3', '#a3afbd', '#2b3542', '#10161d')}}}
svg text{font:12px system-ui,sans-serif;fill:var(--soft)}
svg text.title{font-size:14px;font-weight:600;fill:var(--ink)}
svg .grid{stroke:var(--grid)}
svg .line{fill:none;stroke-width:2;stroke-linejoin:round}
svg .mark{stroke-width:1;stroke-dasharray:1 3}
svg .dashed{stroke-width:1.3;stroke-dasharray:5 4}
${COLOUR_RULES.replaceAll('.t', 'svg text.t')}`;

/** Rules for the page around the charts. */
export const PAGE_STYLE = `body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:940px;margin:0 auto;padding:24px 20px 60px}
h1{font-size:22px;margin:0 0 4px}h2{font-size:18px;margin:40px 0 8px}h3{font-size:15px;margin:24px 0 6px}
p{margin:4px 0 12px;color:var(--soft)}
svg{display:block;width:100%;height:auto;margin:12px 0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:14px}
th,td{padding:4px 14px 4px 0;text-align:right;border-bottom:1px solid var(--grid);white-space:nowrap}
th{color:var(--soft);font-weight:500}th:first-child,td:first-child{text-align:left}
tr.us td{font-weight:600}
code{font-size:13px;overflow-wrap:anywhere}`;
