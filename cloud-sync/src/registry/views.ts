/** Releases and models as the API shows them. */
import type { HeadView, LineageView, ModelView, ReleaseView, SuspectView } from '../api/views.ts';
import { championOf, type Head, type ReleaseRecord, type SuspectRecord } from '../drivers/store.ts';
import { parseSchema } from './schema.ts';

export function releaseView(release: Omit<ReleaseRecord, 'lineage'>): ReleaseView {
  const { hash, parent, task, schema, gateways, rows, createdMs, form } = release;
  return { hash, parent, task, schema, gateways, rows, created_at: createdMs, form: form === 1 ? 'ridge' : 'lda' };
}

export function lineageView(release: ReleaseRecord): LineageView {
  return { ...releaseView(release), lineage: release.lineage };
}

export function modelView(head: Head, gateways: readonly string[], suspects: readonly SuspectRecord[]): ModelView {
  const { task, kind, target, horizonMs, features } = parseSchema(head.schemaText);
  const { schema, releases, release: newest, pinned, previous } = head;
  const told = { head: championOf(head), newest, pinned: pinned !== null, previous };
  return {
    task,
    schema,
    kind,
    target,
    horizon_ms: horizonMs,
    features,
    gateways,
    suspects: suspects.map(suspectView),
    releases,
    ...told,
  };
}

function suspectView({ gateway, sinceMs, distance, limit, moved }: SuspectRecord): SuspectView {
  return { gateway, since: sinceMs, distance, limit, moved };
}

export function headView(head: Head): HeadView {
  const { task, schema } = head;
  return { task, schema, release: championOf(head) };
}
