const { ReadableStream } = globalThis;

/** In the place of node:stream/web. */
export { ReadableStream };
