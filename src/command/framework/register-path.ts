/** Where it is noted which disk files build on which: beside the store, whether there is one or not. */
export function registerPath(storePath: string): string {
  return `${storePath.replace(/\/+$/, '')}-files.jsonl`;
}
