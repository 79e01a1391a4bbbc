// One task across the gateways that work on it: how well, since when, by which experts, with which releases.
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { curves, fleet, models, now, releases } from '../live/store.ts';
import {
  figureOfAge,
  figureOfCount,
  figureOfDuration,
  figureOfError,
  figureOfImprovement,
  figureOfShare,
} from '../model/figures.ts';
import {
  baselineName,
  improvementInWords,
  isWorse,
  panelRows,
  standingOf,
  standingOfAll,
  type TaskOfFleet,
  type TaskOfGateway,
} from '../model/tasks.ts';
import type { Model, Release } from '../model/wire.ts';
import { gatewayLink } from '../route.ts';
import { Alarms, Kind } from './badges.tsx';
import { Findings } from './findings.tsx';
import { LearningCurve } from './learning_curve.tsx';
import { narrow } from './narrow.ts';
import { PanelTable } from './panel_table.tsx';
import { ReleaseTimeline } from './release_timeline.tsx';
import { ScrollTable } from './scroll_table.tsx';
import { Suspects } from './suspects.tsx';

/** Lines that can still be told apart: two per gateway. The rest can be switched on. */
const GATEWAYS_AT_FIRST = 3;
/** Colours of the palette in style/tokens.css. */
const SERIES_COLOURS = 6;

interface Props {
  task: TaskOfFleet;
  /** On a gateway's own page only its own line and panel are drawn. */
  only?: string;
}

export function TaskSection({ task, only }: Props) {
  const members = only === undefined ? task.members : task.members.filter(({ gateway }) => gateway.id === only);
  const chosen = useSignal<ReadonlySet<string>>(
    new Set(members.slice(0, GATEWAYS_AT_FIRST).map(({ gateway }) => gateway.id)),
  );
  const shown =
    members.length <= GATEWAYS_AT_FIRST ? members : members.filter((member) => chosen.value.has(member.gateway.id));
  const list = releases.value.get(task.name) ?? [];
  const standing = standingOfAll(members);
  const alarms = members.reduce((sum, member) => sum + member.task.alarms, 0);
  const heading = `task-${task.name}`;
  return (
    <section class="task" id={heading} aria-labelledby={`${heading}-name`}>
      <div class="task-head">
        <div>
          <h2 id={`${heading}-name`}>
            {task.name} <Kind kind={task.kind} />
            {alarms > 0 && <Alarms count={alarms} />}
          </h2>
          <p class="quiet">{purposeOf(task, models.value)}</p>
        </div>
        <p class="standing">
          <span class={isWorse(standing.improvement) ? 'standing-words bad' : 'standing-words'}>
            {improvementInWords(standing.improvement, task.kind)}
          </span>
          <span class="quiet">
            error {figureOfError(standing.error, task.kind)}, {baselineName(task.kind)}{' '}
            {figureOfError(standing.baseline, task.kind)}
            {standing.error !== null && (standing.recent ? ' · last 5 min' : ' · since the start')}
          </span>
        </p>
      </div>
      <div class="task-grid">
        <div class="tile">
          <h3>Learning curve</h3>
          <LearningCurve
            task={task.name}
            kind={task.kind}
            points={curves.value.get(task.name)}
            gateways={shown.map((member) => ({ id: member.gateway.id, colour: colourOf(member) }))}
            releases={list}
          />
        </div>
        <div class="tile">
          <h3 class={only === undefined ? '' : 'unseen'}>By gateway</h3>
          <StandingTable
            task={task}
            members={members}
            chosen={members.length <= GATEWAYS_AT_FIRST ? null : chosen.value}
            choose={(id) => {
              const next = new Set(chosen.value);
              if (!next.delete(id)) next.add(id);
              chosen.value = next;
            }}
          />
          <Part title="Panel of experts" gist={heaviestOf(shown)}>
            <PanelTable task={task.name} kind={task.kind} members={shown} errors={only !== undefined} />
          </Part>
        </div>
        <div class="tile tile-wide">
          <Part title="Releases" gist={newestOf(list, now.value)}>
            <ReleaseTimeline releases={list} members={task.members} models={models.value} now={now.value} />
            <Findings members={members} />
            <Suspects task={task.name} models={models.value} now={now.value} />
          </Part>
        </div>
      </div>
    </section>
  );
}

/** A part of a tile: on a phone it is folded, with the gist of it in its heading. */
function Part({ title, gist, children }: { title: string; gist: string; children: ComponentChildren }) {
  if (!narrow.value) {
    return (
      <>
        <h3>{title}</h3>
        {children}
      </>
    );
  }
  return (
    <details class="more part">
      <summary>
        <h3>{title}</h3> <span class="more-figure">{gist}</span>
      </summary>
      {children}
    </details>
  );
}

function heaviestOf(members: readonly TaskOfGateway[]): string {
  const row = panelRows(members.map((member) => member.task))[0];
  return row === undefined ? 'none yet' : `${row.expert} ${figureOfShare(row.mean)}`;
}

function newestOf(list: readonly Release[], at: number): string {
  const newest = list[0];
  return newest === undefined ? 'none yet' : `newest ${figureOfAge(newest.created_at, at)}`;
}

interface StandingProps {
  task: TaskOfFleet;
  members: readonly TaskOfGateway[];
  /** null: all are drawn, nothing to choose. */
  chosen: ReadonlySet<string> | null;
  choose: (gateway: string) => void;
}

function StandingTable({ task, members, chosen, choose }: StandingProps) {
  // On a phone the heading has the alarms.
  const alarming = !narrow.value && (task.kind === 'anomaly' || members.some((member) => member.task.alarms > 0));
  return (
    <ScrollTable label={`${task.name} by gateway`} class="standings">
      <thead>
        <tr>
          <th scope="col">Gateway</th>
          <th scope="col" class="n">
            Error
          </th>
          <th scope="col" class="n">
            {task.kind === 'classification' ? 'Last class' : 'Last value'}
          </th>
          <th scope="col" class="n" title="How far the error lies under the baseline">
            Better by
          </th>
          {!narrow.value && (
            <th scope="col" class="n">
              Predictions
            </th>
          )}
          {alarming && (
            <th scope="col" class="n">
              Alarms
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {members.map((member) => {
          const { gateway, task: own } = member;
          const standing = standingOf(own);
          return (
            <tr key={gateway.id}>
              <th scope="row">
                <span class="member">
                  {chosen !== null && (
                    <input
                      type="checkbox"
                      aria-label={`Draw ${gateway.id}`}
                      checked={chosen.has(gateway.id)}
                      onChange={() => choose(gateway.id)}
                    />
                  )}
                  <span class={`swatch series-${colourOf(member)}`} aria-hidden="true" />
                  <a href={gatewayLink(gateway.id)}>{gateway.id}</a>
                </span>
              </th>
              <td class="n strong">{figureOfError(standing.error, task.kind)}</td>
              <td class="n">{figureOfError(standing.baseline, task.kind)}</td>
              <td class={`n strong ${isWorse(standing.improvement) ? 'bad' : 'good'}`}>
                {figureOfImprovement(standing.improvement)}
              </td>
              {!narrow.value && <td class="n">{figureOfCount(own.predictions)}</td>}
              {alarming && <td class={own.alarms === 0 ? 'n zero' : 'n strong'}>{figureOfCount(own.alarms)}</td>}
            </tr>
          );
        })}
      </tbody>
    </ScrollTable>
  );
}

/** A gateway has one colour on the whole page. */
function colourOf({ gateway }: TaskOfGateway): number {
  return Math.max(0, fleet.value?.gateways.findIndex(({ id }) => id === gateway.id) ?? 0) % SERIES_COLOURS;
}

/** "temperature, 30 min ahead, from 24 features" */
function purposeOf(task: TaskOfFleet, known: readonly Model[]): string {
  const model = known.find((candidate) => candidate.task === task.name);
  const gateways = `${task.members.length} ${task.members.length === 1 ? 'gateway' : 'gateways'}`;
  if (model === undefined) return gateways;
  const target = model.target === '' ? '' : model.target;
  const ahead = model.horizon_ms > 0 ? `${figureOfDuration(model.horizon_ms / 1000).replace(/ 0 \w+$/, '')} ahead` : '';
  const features = `${model.features.length} features`;
  return [target, ahead, features, gateways].filter((part) => part !== '').join(' · ');
}
