// Model versions over time: the newest release first, each with what it was made of, from which parent, and who has it.
import { useSignal } from '@preact/signals';
import { figureOfAge, figureOfCount, figureOfMoment, figureOfTime, shortHash } from '../model/figures.ts';
import type { TaskOfGateway } from '../model/tasks.ts';
import type { Model, Release } from '../model/wire.ts';
import { Empty } from './states.tsx';

/** As many as stand in one row of a wide page. */
const SHOWN_AT_FIRST = 5;
/** Older ones are in the API; a list this long is no longer read. */
const SHOWN_MAX = 50;

interface Props {
  releases: readonly Release[];
  members: readonly TaskOfGateway[];
  models: readonly Model[];
  now: number;
}

export function ReleaseTimeline({ releases, members, models, now }: Props) {
  const all = useSignal(false);
  if (releases.length === 0) {
    return <Empty title="No release yet">The first is made when gateways have sent deltas with enough examples.</Empty>;
  }
  const shown = releases.slice(0, all.value ? SHOWN_MAX : SHOWN_AT_FIRST);
  return (
    <>
      <ol class="timeline">
        {shown.map((release, index) => (
          <li key={release.hash} class={index === 0 ? 'head' : ''}>
            <div class="timeline-line">
              <code title={release.hash}>{shortHash(release.hash)}</code>
              {marksOf(release, index === 0, models).map((mark) => (
                <span key={mark} class="badge badge-accent">
                  {mark}
                </span>
              ))}
            </div>
            <time
              dateTime={release.created_at === null ? undefined : new Date(release.created_at).toISOString()}
              title={figureOfMoment(release.created_at)}
            >
              {figureOfTime(release.created_at)} <span class="quiet">{figureOfAge(release.created_at, now)}</span>
            </time>
            <dl class="timeline-facts">
              <div>
                <dt>examples</dt>
                <dd>{figureOfCount(release.rows)}</dd>
              </div>
              <div>
                <dt>gateways</dt>
                <dd>{figureOfCount(release.gateways)}</dd>
              </div>
              <div>
                <dt>parent</dt>
                <dd>
                  <code title={release.parent ?? 'the first of its line'}>{shortHash(release.parent)}</code>
                </dd>
              </div>
              <div>
                <dt>in the panel of</dt>
                <dd>{holdersOf(release, members)}</dd>
              </div>
            </dl>
          </li>
        ))}
      </ol>
      {releases.length > SHOWN_AT_FIRST && (
        <button
          type="button"
          class="button quiet-button"
          aria-expanded={all.value}
          onClick={() => {
            all.value = !all.value;
          }}
        >
          {all.value ? 'Show the newest only' : `Show ${Math.min(releases.length, SHOWN_MAX) - SHOWN_AT_FIRST} more`}
        </button>
      )}
    </>
  );
}

/** What a release is to the gateways: they are told the pinned one, else the newest. */
function marksOf(release: Release, newest: boolean, models: readonly Model[]): string[] {
  const model = models.find(({ task, schema }) => task === release.task && schema === release.schema);
  const pinned = model?.pinned === true && model.head === release.hash;
  return [
    ...(newest ? ['newest'] : []),
    ...(pinned ? ['pinned'] : []),
    ...(model?.previous === release.hash ? ['previous'] : []),
  ];
}

function holdersOf(release: Release, members: readonly TaskOfGateway[]): string {
  const holders = members.filter((member) => member.task.release === release.hash).map((member) => member.gateway.id);
  return holders.length === 0 ? 'none' : holders.length > 3 ? `${holders.length} gateways` : holders.join(', ');
}
