import type { GuestTree } from './guest-tree.ts';
import { readSmallFile } from './read-small-file.ts';

/** What a guest calls its users and groups. */
export interface Accounts {
  readonly users: ReadonlyMap<number, string>;
  readonly groups: ReadonlyMap<number, string>;
}

/** Longer ones are read no further. */
const longestList = 4 << 20;

/** The users and groups of a guest's own /etc/passwd and /etc/group; none where it has no such files. Source: passwd(5). */
export async function readAccounts(tree: GuestTree): Promise<Accounts> {
  const [users, groups] = await Promise.all(
    ['/etc/passwd', '/etc/group'].map(async (path) => namesIn(await readSmallFile(tree, path, longestList))),
  );
  return { users: users!, groups: groups! };
}

/** Names by the numbers in the third field; of several names for one number the first, as Linux shows them. */
function namesIn(text: string | undefined): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of text?.split('\n') ?? []) {
    const [name, , number] = line.split(':');
    if (!name || !number || !/^\d{1,10}$/.test(number) || names.has(Number(number))) continue;
    names.set(Number(number), name);
  }
  return names;
}
