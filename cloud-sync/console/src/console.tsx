// The frame around every page: bar, state of the connection, the page itself.
import { useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { connection, fleet, now } from './live/store.ts';
import { FleetPage } from './pages/fleet_page.tsx';
import { GatewayPage } from './pages/gateway_page.tsx';
import { ConnectionBanner } from './parts/connection_banner.tsx';
import { Loading } from './parts/states.tsx';
import { TopBar } from './parts/top_bar.tsx';
import { route } from './route.ts';

export function Console({ retry }: { retry: () => void }) {
  const place = route.value;
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);

  // A new page is read from its top: focus goes to it, as a page load would.
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    if (place.page === 'fleet' && place.task !== null) return;
    main.current?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [place]);

  useSignalEffect(() => {
    const up = fleet.value;
    const at = route.value;
    const where = at.page === 'gateway' ? at.id : up === null ? '' : `${up.gateways_up}/${up.gateways_total} up`;
    document.title = where === '' ? 'Rivulet' : `${where} · Rivulet`;
  });

  const state = connection.value;
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the figures
      </button>
      <TopBar connection={state} now={now.value} />
      <ConnectionBanner connection={state} now={now.value} retry={retry} />
      <main ref={main} tabIndex={-1} data-connection={state.state}>
        {fleet.value === null ? (
          <Loading failed={state.state === 'disconnected'} />
        ) : place.page === 'gateway' ? (
          <GatewayPage id={place.id} fleet={fleet.value} />
        ) : (
          <FleetPage fleet={fleet.value} task={place.task} />
        )}
      </main>
    </>
  );
}
