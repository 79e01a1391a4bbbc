/** The JSON that `npm start -- --json` ends with: what each gateway did, and the coordinator. */
import type { Ledger } from '../src/status.ts';
import type { GatewayView } from './gateway.ts';

/** One task of the outcome. For classification `error` is 1 − accuracy; errors are of the second half of the run. */
export interface TaskOutcome {
  name: string;
  kind: string;
  predictions: number;
  matured: number;
  error: number | null;
  error_last_value: number | null;
}

export interface GatewayOutcome {
  id: string;
  source: string;
  messages: number;
  ledger: Ledger;
  releases_accepted: number;
  /** Hash of the state at the end; null when the gateway did not stop in order. */
  digest: string | null;
  cpu_us_per_message: number;
  rss_mib: number;
  tasks: TaskOutcome[];
}

/** Figures of the coordinator; zeros when it could not be asked. */
export interface CoordinatorOutcome {
  deltas: number;
  releases: number;
  rss_mib: number;
}

export interface Outcome {
  seconds: number;
  gateways: GatewayOutcome[];
  coordinator: CoordinatorOutcome;
}

const NOTHING: Ledger = {
  received: 0,
  used: 0,
  late: 0,
  duplicate: 0,
  retained: 0,
  filtered: 0,
  quarantined: 0,
};

/** The outcome of a run of `seconds`. */
export function outcomeOf(
  seconds: number,
  gateways: readonly (GatewayView & { source: string })[],
  coordinator: CoordinatorOutcome,
): Outcome {
  return {
    seconds: Math.round(seconds * 10) / 10,
    gateways: gateways.map((view) => gatewayOutcome(view, seconds)),
    coordinator,
  };
}

function gatewayOutcome(view: GatewayView & { source: string }, seconds: number): GatewayOutcome {
  const { id, source, status } = view;
  return {
    id,
    source,
    messages: status?.messages ?? 0,
    ledger: status?.ledger ?? NOTHING,
    releases_accepted: status?.releases_accepted ?? 0,
    digest: status?.digest ?? null,
    cpu_us_per_message: status?.cpu_us_per_message ?? 0,
    rss_mib: status?.rss_mib ?? 0,
    tasks: (status?.tasks ?? []).map(({ name, kind, predictions, matured }) => {
      const half = view.courses.get(name)?.secondHalf(seconds);
      return {
        name,
        kind,
        predictions,
        matured,
        error: half?.error ?? null,
        error_last_value: half?.error_last_value ?? null,
      };
    }),
  };
}
