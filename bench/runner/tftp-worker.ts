/** Serves the files of a directory over TFTP on port 69: `node tftp-worker.ts DIRECTORY NUMBER`, of 127.0.0.1NUMBER. */
import { directorySource } from '../../src/server/tftp/directory-source.ts';
import { hotFiles } from '../../src/server/tftp/hot-files.ts';
import { listenTftp } from '../../src/server/tftp/tftp-server.ts';

const [directory = '.', number = '1'] = process.argv.slice(2);
await listenTftp({ source: hotFiles(directorySource(directory)), host: `127.0.0.1${number}` });
