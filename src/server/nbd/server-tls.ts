import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { VarveError } from '../../base/varve-error.ts';
import { pskCiphers, readCertificates, readPskFile } from '../../block/nbd/tls-files.ts';

/** How a server proves who it is, and whom it lets in. */
export interface ServerTlsOptions {
  /** A directory with `server-cert.pem`, `server-key.pem` and `ca-cert.pem`. */
  readonly certificates?: string | undefined;
  /** Lets only those in who have a certificate of that CA. */
  readonly verifyPeer?: boolean | undefined;
  /** A file of keys that both sides know, instead of certificates. */
  readonly pskFile?: string | undefined;
}

/**
 * What puts TLS over a connection: version 1.2 or 1.3.
 *
 * @throws VarveError `INVALID` for files that are missing or are none, and by errno
 */
export async function serverTls(options: ServerTlsOptions): Promise<(stream: Duplex) => Promise<Duplex>> {
  const settings = { minVersion: 'TLSv1.2' as const, ...(await settingsOf(options)) };
  try {
    tls.createSecureContext(settings);
  } catch (error) {
    throw new VarveError('INVALID', `cannot use these certificates for TLS: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return (stream) => secured(stream, settings);
}

async function settingsOf({ certificates, pskFile, verifyPeer = false }: ServerTlsOptions): Promise<tls.TlsOptions> {
  if (pskFile !== undefined) {
    if (certificates !== undefined || verifyPeer) {
      throw new VarveError('INVALID', 'TLS goes by certificates or by keys that both sides know; give one of them');
    }
    const keys = await readPskFile(pskFile);
    return { ciphers: pskCiphers, pskCallback: (_socket, identity) => keys.get(identity) ?? null };
  }
  const directory = certificates as string;
  const { ca, certificate, key } = await readCertificates(directory, 'server');
  if (certificate === undefined || key === undefined) {
    throw new VarveError('INVALID', `${directory}: server-cert.pem and server-key.pem have to be there`);
  }
  if (verifyPeer && ca === undefined) {
    throw new VarveError('INVALID', `${directory}: ca-cert.pem has to be there, to know clients by`);
  }
  return { cert: certificate, key, ca, requestCert: verifyPeer, rejectUnauthorized: verifyPeer };
}

/** A server that never listens does the handshake, and with it all the checks. */
async function secured(stream: Duplex, settings: tls.TlsOptions): Promise<Duplex> {
  const { promise, reject, resolve } = Promise.withResolvers<Duplex>();
  const server = tls.createServer({ ...settings, pauseOnConnect: true });
  server.once('secureConnection', resolve);
  server.once('tlsClientError', reject);
  stream.once('close', () => reject(new Error('the client went away during the TLS handshake')));
  server.emit('connection', stream);
  return await promise;
}
