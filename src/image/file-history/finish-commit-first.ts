import fs from 'node:fs';
import { markerPath } from './marker-path.ts';

/**
 * Finishes what a process that died had begun to do to a disk file together with others, before it is opened: it has all
 * of it then, or nothing. Waits for one that is just doing it. It costs next to nothing where nobody did.
 *
 * @throws VarveError as `finishCommit` does
 */
export async function finishCommitFirst(path: string): Promise<void> {
  let real: string;
  try {
    real = fs.realpathSync(path);
    if (!fs.existsSync(markerPath(real))) return;
  } catch {
    // Whoever opens it says what is wrong.
    return;
  }
  const { finishCommit } = await import('./finish-commit.ts');
  await finishCommit(real);
}
