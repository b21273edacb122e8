/** What became of something that has a name and little else. */
export interface NamedChange {
  readonly change: 'added' | 'removed' | 'modified';
  readonly name: string;
}

/** What differs between two lists by name; `stateOf` tells what else counts. */
export function namedChanges<Item>(
  before: readonly Item[],
  after: readonly Item[],
  nameOf: (item: Item) => string,
  stateOf: (item: Item) => string,
): NamedChange[] {
  const [old, now] = [states(before, nameOf, stateOf), states(after, nameOf, stateOf)];
  const names = [...new Set([...old.keys(), ...now.keys()])].sort();
  return names.flatMap((name) => {
    const [was, is] = [old.get(name), now.get(name)];
    if (was === is) return [];
    return [{ change: was === undefined ? 'added' : is === undefined ? 'removed' : 'modified', name }];
  });
}

function states<Item>(
  items: readonly Item[],
  nameOf: (item: Item) => string,
  stateOf: (item: Item) => string,
): Map<string, string> {
  return new Map(items.map((item) => [nameOf(item), stateOf(item)]));
}
