/**
 * Preloaded into a gateway (`node --import`): its core's memory may grow to `RIVULET_TEST_PAGES` pages of 64 KiB and no
 * further, so that a message can be too much for it. V8's own flag would bound Node's TypeScript reader as well.
 */
const pages = Number(process.env.RIVULET_TEST_PAGES);
const MEMORY_SECTION = 5;
const compile = WebAssembly.compile.bind(WebAssembly);

WebAssembly.compile = (bytes) => compile(bounded(Buffer.from(bytes as Uint8Array)));

/** Rewrites the maximum in the memory section (WebAssembly core specification, section 5.5.8). */
function bounded(bytes: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  for (let at = 8; at < bytes.length; ) {
    const id = bytes[at];
    const size = leb(bytes, at + 1);
    if (id === MEMORY_SECTION) {
      // One memory, with a maximum: count, flags, minimum, maximum.
      const maximum = leb(bytes, leb(bytes, size.end + 2).end);
      for (let place = maximum.start; place < maximum.end; place++) {
        const digit = (pages >> (7 * (place - maximum.start))) & 0x7f;
        bytes[place] = place === maximum.end - 1 ? digit : digit | 0x80;
      }
    }
    at = size.end + size.value;
  }
  return bytes;
}

function leb(bytes: Buffer, start: number): { value: number; start: number; end: number } {
  let value = 0;
  for (let end = start, shift = 0; ; shift += 7) {
    const digit = bytes[end++] as number;
    value |= (digit & 0x7f) << shift;
    if (digit < 0x80) {
      return { value, start, end };
    }
  }
}
