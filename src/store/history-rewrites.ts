import type { Catalog } from './catalog.ts';

// Which rewritings of an image's history were completed, in the catalog's `meta` under a key of the image's own. A
// manifest that names one which is not listed was written by a process that died before the change was made.

/** The completed rewritings of an image's history, oldest first. */
export function completedRewrites(catalog: Catalog, uuid: string): string[] {
  const row = catalog.get('SELECT value FROM meta WHERE key = ?', keyOf(uuid));
  return row === undefined ? [] : (JSON.parse(row.value as string) as string[]);
}

/** Inside a transaction. */
export function setRewrites(catalog: Catalog, uuid: string, rewrites: readonly string[]): void {
  if (rewrites.length === 0) return;
  catalog.run('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)', keyOf(uuid), JSON.stringify(rewrites));
}

/** Inside the transaction that removes the image. */
export function forgetRewrites(catalog: Catalog, uuid: string): void {
  catalog.run('DELETE FROM meta WHERE key = ?', keyOf(uuid));
}

/**
 * Which of two manifests with one number counts: the one with the higher rank; undefined for one that never does. Where
 * the image's record is lost (`completed` undefined), any rewriting is taken for completed.
 */
export function rewriteRank(rewrite: string | undefined, completed: readonly string[] | undefined): number | undefined {
  if (rewrite === undefined) return 0;
  if (completed === undefined) return 1;
  const position = completed.indexOf(rewrite);
  return position < 0 ? undefined : position + 1;
}

/** The rewritings that manifests name, for an image whose record is lost. */
export function rewritesIn(manifests: readonly { readonly rewrite?: string | undefined }[]): string[] {
  return [...new Set(manifests.flatMap(({ rewrite }) => (rewrite === undefined ? [] : [rewrite])))];
}

function keyOf(uuid: string): string {
  return `rewrites:${uuid}`;
}
