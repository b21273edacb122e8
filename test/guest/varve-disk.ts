import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectDirectory } from '../../scripts/project.ts';

const run = promisify(execFile);

/** What `varve` needs of `node_modules`. */
const packages = ['commander', '@bomb.sh', '@napi-rs', 'koffi', '@koromix', 'diff', 'seek-bzip', 'xz-decompress'];

/** A raw disk with ext4 that has Varve. */
export interface VarveDisk {
  readonly path: string;
  /** What of it needs libraries of the guest's; their paths here. */
  readonly programs: readonly string[];
}

/**
 * Makes a raw disk for a guest with ext4: Varve, built from the source as it is, its packages, and this machine's Node as
 * `bin/node`; its libraries are the guest's to have.
 */
export async function makeVarveDisk(directory: string): Promise<VarveDisk> {
  const [root, disk] = [join(directory, 'varve'), join(directory, 'varve.raw')];
  await mkdir(join(root, 'bin'), { recursive: true });
  await cp(process.execPath, join(root, 'bin/node'));
  const compiler = join(projectDirectory, 'node_modules/typescript/bin/tsc');
  const options = ['-p', join(projectDirectory, 'tsconfig.build.json'), '--outDir', join(root, 'dist')];
  await run(process.execPath, [compiler, ...options]);
  await cp(join(projectDirectory, 'package.json'), join(root, 'package.json'));
  const installed = await readdir(join(projectDirectory, 'node_modules'));
  for (const name of packages.filter((each) => installed.includes(each))) {
    await cp(join(projectDirectory, 'node_modules', name), join(root, 'node_modules', name), { recursive: true });
  }
  await writeFile(disk, '');
  await truncate(disk, 320 * 2 ** 20);
  const environment = { ...process.env, MKE2FS_CONFIG: '/dev/null' };
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', root, disk], { env: environment });
  const natives = (await readdir(root, { recursive: true })).filter((name) => name.endsWith('.node'));
  const programs = [
    process.execPath,
    ...natives.filter((name) => !name.includes('musl')).map((name) => join(root, name)),
  ];
  return { path: disk, programs };
}
