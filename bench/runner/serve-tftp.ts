import { directorySource } from '../../src/server/files/directory-source.ts';
import { hotFiles } from '../../src/server/files/hot-files.ts';
import { listenTftp } from '../../src/server/tftp/tftp-server.ts';

/** The command that serves the files of a directory over TFTP at an address, on port 69. */
export function serveTftpCommand(directory: string, host: string): string[] {
  return [process.execPath, import.meta.filename, directory, host];
}

if (process.argv[1] === import.meta.filename) {
  const [directory = '.', host] = process.argv.slice(2);
  await listenTftp({ source: hotFiles(directorySource(directory)), host });
}
