import { namesIn } from './directory-item.ts';
import { itemTypes, largestOffset } from './key.ts';
import type { ItemTree } from './tree.ts';

/** All attributes of an inode, by their whole names, as Linux hands them out. @throws what `corrupt` makes of a reason */
export async function readAttributes(
  tree: ItemTree,
  inode: number,
  corrupt: (why: string) => Error,
): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  const from = { objectid: inode, type: itemTypes.attribute, offset: 0 };
  const problem = (why: string) => corrupt(`the attributes of inode ${inode} of ${tree.name} have ${why}`);
  for await (const { view } of tree.items(from, { ...from, offset: largestOffset })) {
    for (const { name, data } of namesIn(view, problem)) found.set(new TextDecoder().decode(name), data);
  }
  return found;
}
