import assert from 'node:assert/strict';
import type { FileSystem } from '../filesystem/file-system.ts';

/** More names than any sample has: whoever finds more walks in a circle. */
const mostNames = 200_000;

/** The nodes of all files below the root, by path; each byte of a path is a character. */
export async function nodesOf(fileSystem: FileSystem): Promise<Map<string, number>> {
  const nodes = new Map<string, number>();
  const pending: [path: string, node: number][] = [['', fileSystem.root]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [prefix, directory] = next;
    for await (const { name, node, kind } of fileSystem.readDirectory(directory)) {
      const path = `${prefix}${Buffer.from(name).toString('latin1')}`;
      assert.ok(!nodes.has(path), `${path} is there twice`);
      assert.ok(nodes.size < mostNames, 'there are more names than any sample has');
      nodes.set(path, node);
      const isDirectory = (kind ?? (await fileSystem.stat(node)).kind) === 'directory';
      if (isDirectory) pending.push([`${path}/`, node]);
    }
  }
  return nodes;
}
