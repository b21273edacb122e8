import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { isVarveError } from '../../base/varve-error.ts';
import { findPlace } from './find-place.ts';
import type { NetbootPorts } from './server-place.ts';

const ports = {} as NetbootPorts;
const skip = process.platform === 'linux' ? false : 'only Linux is asked so';
const namespace = `varve-place-${process.pid}`;

test('findPlace knows where the loopback is, and what is not there', { skip }, () => {
  const { address, hardwareAddress, prefix } = findPlace('lo', ports);
  assert.deepEqual([address, prefix, hardwareAddress], ['127.0.0.1', 8, '00:00:00:00:00:00']);
  for (const name of ['nothing', 'lo/statistics']) {
    assert.throws(
      () => findPlace(name, ports),
      (error) => isVarveError(error, 'NOT_FOUND'),
    );
  }
});

test('findPlace knows an interface that nothing is connected to yet', { skip }, (t) => {
  const ip = (...args: string[]): boolean => spawnSync('ip', args).status === 0;
  if (process.getuid?.() !== 0 || !ip('netns', 'add', namespace))
    return t.skip('network namespaces cannot be made here');
  try {
    ip('-n', namespace, 'link', 'add', 'lan', 'type', 'veth', 'peer', 'name', 'other');
    ip('-n', namespace, 'address', 'add', '10.9.0.1/20', 'dev', 'lan');
    ip('-n', namespace, 'link', 'set', 'lan', 'up');
    const script = `import { findPlace } from '${import.meta.resolve('./find-place.ts')}';
      const { address, prefix } = findPlace('lan', {});
      console.log(address + '/' + prefix);`;
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script];
    const { stderr, stdout } = spawnSync('ip', ['netns', 'exec', namespace, ...node], { encoding: 'utf8' });
    assert.equal(stdout, '10.9.0.1/20\n', stderr);
  } finally {
    ip('netns', 'delete', namespace);
  }
});
