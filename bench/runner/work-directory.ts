import { join } from 'node:path';
import { projectDirectory } from '../../scripts/setup/project.mjs';

/** Where benchmarks keep what takes long to make; git ignores it, and it can be deleted at any time. */
export const workDirectory: string = join(projectDirectory, 'bench/.work');
