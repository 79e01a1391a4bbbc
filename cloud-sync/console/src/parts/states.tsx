// What stands where figures will be: while loading, and where there is nothing to show yet.
import type { ComponentChildren } from 'preact';

export function Loading({ failed }: { failed: boolean }) {
  return (
    <div class="page" aria-busy={!failed}>
      <h1 class="sentence">{failed ? 'No figures yet.' : 'Asking the coordinator how the fleet is …'}</h1>
      <div class={failed ? 'skeleton still' : 'skeleton'} aria-hidden="true">
        <div class="skeleton-strip" />
        <div class="skeleton-block" />
        <div class="skeleton-block tall" />
      </div>
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children !== undefined && <p class="empty-text">{children}</p>}
    </div>
  );
}
