import { VarveError } from '../base/varve-error.ts';
import type { Warn } from './fact.ts';

/** What `find` finds out, or `otherwise` and a warning where what `path` holds is damaged or more than is read here. */
export async function attempt<Value>(
  path: string,
  warn: Warn,
  otherwise: Value,
  find: () => Promise<Value>,
): Promise<Value> {
  try {
    return await find();
  } catch (error) {
    if (!(error instanceof VarveError) || error.code === 'ABORTED') throw error;
    warn({ path, message: error.message });
    return otherwise;
  }
}
