// What the watches of a task have found: drift, newest first, each with the means before and since.
import { figureOfMoment, threeDigits } from '../model/figures.ts';
import type { TaskOfGateway } from '../model/tasks.ts';
import type { Finding } from '../model/wire.ts';
import { gatewayLink } from '../route.ts';

const SHOWN = 5;

interface Props {
  members: readonly TaskOfGateway[];
}

export function Findings({ members }: Props) {
  const alarms = members.reduce((sum, { task }) => sum + task.drift.alarms, 0);
  const doubted = members.filter(({ task }) => task.labels.open || task.labels.conflicting > 0);
  if (alarms === 0 && doubted.length === 0) return null;
  const newest = members
    .flatMap(({ gateway, task }) => task.drift.newest.map((found) => ({ gateway: gateway.id, found })))
    .sort((a, b) => b.found.at - a.found.at)
    .slice(0, SHOWN);
  return (
    <div class="suspects">
      <h4>Drift, {alarms} found</h4>
      <ul>
        {doubted.map(({ gateway, task }) => (
          <li key={gateway.id}>
            <a href={gatewayLink(gateway.id)}>{gateway.id}</a>: {doubtOf(task.labels)}
          </li>
        ))}
        {newest.map(({ gateway, found }) => (
          <li key={`${gateway} ${found.of} ${found.at}`}>
            <a href={gatewayLink(gateway)}>{gateway}</a>: {changeOf(found)}{' '}
            <span class="quiet">
              {found.key}, event time {figureOfMoment(found.at)}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function doubtOf({ conflicting, open }: TaskOfGateway['task']['labels']): string {
  const reasons = [
    ...(open ? ['labels are not learned, since their source has changed'] : []),
    ...(conflicting > 0 ? [`${conflicting} labels contradicted earlier ones`] : []),
  ];
  return reasons.join('; ');
}

function changeOf({ of, before, after }: Finding): string {
  const digits = (mean: number | null): string => (mean === null ? '–' : threeDigits(mean));
  return `${of} ${digits(before)} → ${digits(after)}`;
}
