import fs from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Guest, openGuest } from '../../src/guest/open-guest.ts';
import { run, sampleImage } from '../filesystem/sample-image.ts';

/** A file's content, or where a symlink leads. */
export type RootFile = string | Uint8Array | { readonly link: string };

const mebibyte = 2 ** 20;

/** Writes files below a directory, by their paths in a guest. */
export function writeRoot(directory: string, files: Readonly<Record<string, RootFile>>): void {
  for (const [path, content] of Object.entries(files)) {
    const place = join(directory, path);
    fs.mkdirSync(dirname(place), { recursive: true });
    if (typeof content === 'string' || content instanceof Uint8Array) fs.writeFileSync(place, content);
    else fs.symlinkSync(content.link, place);
  }
}

/** A guest whose root is an ext4 that mke2fs fills, with whatever `fill` puts into its directory. */
export async function guestOf(
  t: TestContext,
  fill: Readonly<Record<string, RootFile>> | ((directory: string) => void),
  size = 16 * mebibyte,
): Promise<Guest> {
  const open = await sampleImage(size, async (image, directory) => {
    if (typeof fill === 'function') fill(directory);
    else writeRoot(directory, fill);
    await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', directory, image]);
  });
  const device = open();
  const guest = await openGuest(device, { name: 'guest' });
  t.after(async () => {
    await guest[Symbol.asyncDispose]();
    await device[Symbol.asyncDispose]();
  });
  return guest;
}
