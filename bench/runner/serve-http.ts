import { directorySource } from '../../src/server/files/directory-source.ts';
import { hotFiles } from '../../src/server/files/hot-files.ts';
import { listenHttp } from '../../src/server/http/http-server.ts';

/** The command that serves the files of a directory over HTTP at an address, from memory. */
export function serveHttpCommand(directory: string, host: string, port: number): string[] {
  return [process.execPath, import.meta.filename, directory, host, String(port)];
}

if (process.argv[1] === import.meta.filename) {
  const [directory = '.', host, port] = process.argv.slice(2);
  await listenHttp({ source: hotFiles(directorySource(directory), { largest: 2 ** 26 }), host, port: Number(port) });
}
