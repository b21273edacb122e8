import fs from 'node:fs';

const letters: Readonly<Record<string, string>> = { file: '-', directory: 'd', symlink: 'l' };

/**
 * What mkfs.xfs makes a file system like `directory` from (`-p`). White space in names becomes `_` in the directory, too,
 * as it cannot be written down, and the sticky bit goes.
 */
export function prototypeOf(directory: string): Buffer {
  const lines: Buffer[] = [Buffer.from(`/none\n0 0\nd--${digits(fs.statSync(directory).mode)} 0 0\n`)];
  addNames(Buffer.from(directory), lines);
  return Buffer.concat(lines);
}

function addNames(directory: Buffer, lines: Buffer[]): void {
  const at = (name: Buffer) => Buffer.concat([directory, Buffer.from('/'), name]);
  for (const named of fs.readdirSync(directory, { encoding: 'buffer' })) {
    const name = Buffer.from(named.toString('latin1').replaceAll(/\s/g, '_'), 'latin1');
    const path = at(name);
    if (!name.equals(named)) fs.renameSync(at(named), path);
    const stat = fs.lstatSync(path);
    const kind = stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'symlink' : 'file';
    if (kind === 'directory') fs.chmodSync(path, stat.mode & 0o777);
    const bits = `${stat.mode & 0o4000 ? 'u' : '-'}${stat.mode & 0o2000 ? 'g' : '-'}${digits(stat.mode)}`;
    const source = kind === 'file' ? path : kind === 'symlink' ? fs.readlinkSync(path, { encoding: 'buffer' }) : '';
    lines.push(name, Buffer.from(` ${letters[kind]}${bits} ${stat.uid} ${stat.gid} `), Buffer.from(source));
    lines.push(Buffer.from('\n'));
    if (kind === 'directory') addNames(path, lines);
  }
  lines.push(Buffer.from('$\n'));
}

const digits = (mode: number) => (mode & 0o777).toString(8).padStart(3, '0');
