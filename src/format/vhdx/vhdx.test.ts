import { testImageFormat } from '../../conformance/image-format.ts';
import { vhdxFormat } from './vhdx.ts';

testImageFormat(vhdxFormat, {
  sizeUnit: 512,
  reproducible: false,
  ways: { 'blocks of 1 MiB': { clusterSize: 2 ** 20 } },
});

testImageFormat(vhdxFormat, {
  sizeUnit: 512,
  reproducible: false,
  sparse: false,
  ways: { fixed: { options: { subformat: 'fixed' }, clusterSize: 2 ** 20 } },
});
