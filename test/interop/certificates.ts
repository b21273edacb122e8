import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Makes a directory with the certificates of an authority, a server called localhost, and a client, and their keys. */
export async function makeCertificates(target: string): Promise<void> {
  await mkdir(target);
  const openssl = (...args: string[]) => run('openssl', args, { cwd: target });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  await openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca-key.pem',
    '-out',
    'ca-cert.pem',
    '-subj',
    '/CN=Test CA',
    '-days',
    '2',
  );
  await writeFile(join(target, 'server.ext'), 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n');
  await writeFile(join(target, 'client.ext'), 'extendedKeyUsage=clientAuth\n');
  for (const side of ['server', 'client']) {
    await openssl('req', ...key, '-keyout', `${side}-key.pem`, '-out', `${side}.csr`, '-subj', `/CN=${side}`);
    const ca = ['-CA', 'ca-cert.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial', '-days', '2'];
    await openssl('x509', '-req', '-in', `${side}.csr`, ...ca, '-out', `${side}-cert.pem`, '-extfile', `${side}.ext`);
  }
}
