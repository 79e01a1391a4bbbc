/** For commands that go on until somebody ends them: whoever reads has gone, or a signal asks us to end. */
export function interrupted(): { promise: Promise<void>; now(): boolean } {
  let over = false;
  const promise = new Promise<void>((resolve) => {
    const end = (): void => {
      over = true;
      resolve();
    };
    process.once('SIGINT', end);
    process.once('SIGTERM', end);
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') {
        throw error;
      }
      end();
    });
  });
  return { promise, now: () => over };
}
