import type { ServerOptions } from 'node:https';
import { createSecureContext } from 'node:tls';
import { VarveError } from '../../base/varve-error.ts';
import { readCertificates } from '../../block/nbd/tls-files.ts';

/** How a server proves who it is, and whom it lets in. */
export interface HttpTlsOptions {
  /** A directory with `server-cert.pem` and `server-key.pem`, and `ca-cert.pem` where clients are to be verified. */
  readonly certificates: string;
  /** Lets only those in who have a certificate of that CA. */
  readonly verifyPeer?: boolean | undefined;
}

/** @throws VarveError `INVALID` for files that are missing or are none, and by errno */
export async function httpsOptions(
  { certificates, verifyPeer = false }: HttpTlsOptions,
  handshakeTimeout?: number,
): Promise<ServerOptions> {
  const { ca, certificate, key } = await readCertificates(certificates, 'server');
  if (certificate === undefined || key === undefined) {
    throw new VarveError('INVALID', `${certificates}: server-cert.pem and server-key.pem have to be there`);
  }
  if (verifyPeer && ca === undefined) {
    throw new VarveError('INVALID', `${certificates}: ca-cert.pem has to be there, to know clients by`);
  }
  const settings: ServerOptions = { minVersion: 'TLSv1.2', cert: certificate, key, ca };
  try {
    createSecureContext(settings);
  } catch (cause) {
    const why = (cause as Error).message;
    throw new VarveError('INVALID', `cannot use the certificates of ${certificates} for HTTPS: ${why}`, { cause });
  }
  return {
    ...settings,
    requestCert: verifyPeer,
    rejectUnauthorized: verifyPeer,
    handshakeTimeout,
    ALPNProtocols: ['http/1.1'],
  };
}
