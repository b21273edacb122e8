import { testImageFormat } from '../../conformance/image-format.ts';
import { vdiFormat } from './vdi.ts';

testImageFormat(vdiFormat, {
  sizeUnit: 512,
  // Each image has a new UUID.
  reproducible: false,
  ways: { dynamic: {} },
});

testImageFormat(vdiFormat, {
  sizeUnit: 512,
  reproducible: false,
  sparse: false,
  ways: { static: { options: { subformat: 'static' } } },
});
