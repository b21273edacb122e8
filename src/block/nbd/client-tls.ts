import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { VarveError } from '../../base/varve-error.ts';
import { pskCiphers, readCertificates, readPskFile } from './tls-files.ts';

/** How a client knows a server, and is known by it. */
export interface ClientTlsOptions {
  /** A directory with `ca-cert.pem`, and `client-cert.pem` and `client-key.pem` where the server asks for them. */
  readonly certificates?: string | undefined;
  /** A file of keys that both sides know, instead of certificates. */
  readonly pskFile?: string | undefined;
  /** Whose key of that file it is; the first where nothing is given. */
  readonly user?: string | undefined;
  /** Whom the server's certificate has to be for. */
  readonly host: string;
}

/**
 * Puts TLS over a connection, and checks who the server is: by the CA of the directory, or those of the system.
 *
 * @throws VarveError `PERMISSION` for a server that is not who it should be, `INVALID`, and by errno
 */
export async function clientTls(stream: Duplex, options: ClientTlsOptions): Promise<Duplex> {
  const socket = tls.connect({ socket: stream, minVersion: 'TLSv1.2', ...(await settingsOf(options)) });
  const { promise, reject, resolve } = Promise.withResolvers<void>();
  socket.once('secureConnect', resolve);
  socket.once('error', reject);
  socket.once('close', () => reject(new Error('the server closed the connection')));
  try {
    await promise;
  } catch (error) {
    throw new VarveError('PERMISSION', `TLS failed: ${(error as Error).message}`, { cause: error });
  }
  socket.pause();
  return socket;
}

async function settingsOf({ certificates, host, pskFile, user }: ClientTlsOptions): Promise<tls.ConnectionOptions> {
  if (pskFile !== undefined) {
    const keys = await readPskFile(pskFile);
    const identity = user ?? ([...keys.keys()][0] as string);
    const psk = keys.get(identity);
    if (psk === undefined) throw new VarveError('INVALID', `${pskFile}: there is no key for ${identity}`);
    // Whoever has the key is who it should be.
    return { ciphers: pskCiphers, pskCallback: () => ({ identity, psk }), checkServerIdentity: () => undefined };
  }
  const names = net.isIP(host) === 0 ? { servername: host } : {};
  if (certificates === undefined) return { host, ...names };
  const { ca, certificate, key } = await readCertificates(certificates, 'client');
  return { host, ...names, ca, cert: certificate, key };
}
