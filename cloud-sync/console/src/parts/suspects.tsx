// Gateways that a model's releases leave out, each with the evidence.
import { figureOfAge, threeDigits } from '../model/figures.ts';
import type { Model, Suspect } from '../model/wire.ts';
import { gatewayLink } from '../route.ts';

interface Props {
  task: string;
  models: readonly Model[];
  now: number;
}

export function Suspects({ task, models, now }: Props) {
  const suspects = models.filter((model) => model.task === task).flatMap((model) => model.suspects);
  if (suspects.length === 0) return null;
  return (
    <div class="suspects">
      <h4>Left out of releases</h4>
      <ul>
        {suspects.map((suspect) => (
          <li key={suspect.gateway}>
            <a href={gatewayLink(suspect.gateway)}>{suspect.gateway}</a>: {evidenceOf(suspect)}{' '}
            <span class="quiet">{figureOfAge(suspect.since, now)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function evidenceOf({ distance, limit }: Suspect): string {
  if (distance === null || limit === null) return 'its class means stand apart from the others’';
  return `its class means stand apart from the others’ by ${threeDigits(distance)}, where ${threeDigits(limit)} is the limit`;
}
