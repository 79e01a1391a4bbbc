// A table that may be wider than its place: it scrolls inside, and the page never does. While it does scroll it can be
// reached by keyboard; while it does not, it is no stop on the way.
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

interface Props {
  label: string;
  class?: string;
  children: ComponentChildren;
}

export function ScrollTable({ label, children, ...rest }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const scrolls = useSignal(false);
  // Before it is painted: a table that scrolls is at no moment out of the keyboard's reach.
  useLayoutEffect(() => {
    const element = frame.current;
    if (element === null) return;
    const measure = (): void => {
      scrolls.value = element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1;
    };
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    for (const child of element.children) watch.observe(child);
    return () => watch.disconnect();
  }, [scrolls]);
  const reachable = scrolls.value ? ({ role: 'region', 'aria-label': `${label}, scrolls`, tabIndex: 0 } as const) : {};
  return (
    <div class="scroll" ref={frame} {...reachable}>
      <table class={rest.class} aria-label={label}>
        {children}
      </table>
    </div>
  );
}
