import fs from 'node:fs/promises';
import { dirname } from 'node:path';
import { log } from '../../log/log.ts';

/** An overlay that Varve made, and what it was made over; absolute paths. */
export interface RegisteredOverlay {
  readonly overlay: string;
  readonly base: string;
}

/** The register is rewritten with what is still there when it gets longer than this, in bytes. */
const tidyLength = 2 ** 20;
/** Of a longer one only the end is read. */
const maximumLength = 16 * 2 ** 20;

/**
 * Remembers, in a file of JSON lines, where an overlay is that is not beside what it builds on, where it would be found
 * without. It is a hint and no
 * more: what it says is looked up in the overlay, so it may be stale, be damaged or be deleted. That it cannot be
 * written is noted in the log, and harms nothing else.
 */
export async function registerOverlay(register: string, entry: RegisteredOverlay): Promise<void> {
  if (dirname(entry.overlay) === dirname(entry.base)) return;
  try {
    await fs.mkdir(dirname(register), { recursive: true });
    const known = await readRegister(register);
    if (known.some((each) => each.overlay === entry.overlay && each.base === entry.base)) return;
    await fs.appendFile(register, `${JSON.stringify({ overlay: entry.overlay, base: entry.base })}\n`);
    if ((await fs.stat(register)).size > tidyLength) await tidy(register);
  } catch (error) {
    log(1, 'the register %s cannot be written: %s', register, error instanceof Error ? error.message : String(error));
  }
}

/** What the register has; nothing where there is none. */
export async function readRegister(register: string): Promise<RegisteredOverlay[]> {
  const text = await readEnd(register).catch(() => '');
  return text.split('\n').flatMap((line) => {
    try {
      const { overlay, base } = JSON.parse(line);
      return typeof overlay === 'string' && typeof base === 'string' ? [{ overlay, base }] : [];
    } catch {
      return [];
    }
  });
}

async function readEnd(register: string): Promise<string> {
  await using file = await fs.open(register, 'r');
  const { size } = await file.stat();
  const buffer = Buffer.alloc(Math.min(size, maximumLength));
  const { bytesRead } = await file.read(buffer, 0, buffer.length, size - buffer.length);
  return buffer.toString('utf8', 0, bytesRead);
}

/** Forgets overlays that are gone. What another process adds meanwhile may be lost, and is a hint only. */
async function tidy(register: string): Promise<void> {
  const kept: string[] = [];
  for (const { overlay, base } of await readRegister(register)) {
    const isThere = await fs.access(overlay).then(
      () => true,
      () => false,
    );
    if (isThere) kept.push(`${JSON.stringify({ overlay, base })}\n`);
  }
  const temporary = `${register}.part-${process.pid}`;
  await fs.writeFile(temporary, kept.join(''));
  await fs.rename(temporary, register);
}
