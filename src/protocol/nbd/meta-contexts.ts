/** What an export says of its contexts. */
interface ContextOffer {
  readonly contexts: readonly string[];
  readonly hasContext?: (name: string) => boolean;
}

/**
 * The contexts that `LIST_META_CONTEXT` answers with: all of them without a query; for a query that ends in a colon,
 * such as `base:` and `qemu:dirty-bitmap:`, those that start with it; otherwise the one of that name.
 * Source: proto.md, "Metadata querying"; QEMU docs/interop/nbd.txt.
 */
export function listedContexts(offer: ContextOffer, queries: readonly string[]): string[] {
  if (queries.length === 0) return [...offer.contexts];
  const exact = queries.filter((query) => !query.endsWith(':'));
  const prefixes = queries.filter((query) => query.endsWith(':'));
  const listed = offer.contexts.filter((name) => prefixes.some((prefix) => name.startsWith(prefix)));
  return [...new Set([...listed, ...matchingContexts(offer, exact)])];
}

/** The contexts that `SET_META_CONTEXT` selects: those that are named in full. */
export function matchingContexts({ contexts, hasContext }: ContextOffer, queries: readonly string[]): string[] {
  return [...new Set(queries)].filter((query) => contexts.includes(query) || hasContext?.(query) === true);
}
