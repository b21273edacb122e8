// With the file's name, because the package's alone is that of Node's own module.
import { Buffer as PackageBuffer } from 'buffer/index.js';

/** In the place of Node's global. */
export const Buffer = PackageBuffer;
