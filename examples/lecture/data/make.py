"""Writes the small data sets of the lecture from scikit-learn's (Debian: apt install python3-sklearn), so that nothing
but npm packages is needed to run it.

  iris.safetensors      Fisher 1936: 150 flowers, 4 lengths in cm, 3 species. Public domain (UCI).
  wine.safetensors      Forina 1991: 178 wines, 13 chemical measurements, 3 growers. CC BY 4.0 (UCI).
  diabetes.safetensors  Efron et al. 2004: 442 patients, 10 measurements, progression of the disease after a year. Public
                        domain.
  digits.safetensors    Alpaydin, Kaynak 1998: 1797 handwritten digits, 8 x 8 pixels of 0 .. 16. CC BY 4.0 (UCI).

scikit-learn distributes all four under the BSD 3-clause licence."""
import sys
from pathlib import Path

import numpy as np
from sklearn import datasets

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2] / 'test' / 'fixtures'))
from common import encode  # noqa: E402


def write(name, data, dtype, target, target_dtype, **metadata):
    tensors = {'x': data.astype(dtype), 'y': target.astype(target_dtype)}
    (HERE / f'{name}.safetensors').write_bytes(encode(tensors, {k: ','.join(v) for k, v in metadata.items()}))


for name in ('iris', 'wine'):
    found = getattr(datasets, f'load_{name}')()
    write(name, found.data, '<f4', found.target, 'u1', features=found.feature_names, classes=list(found.target_names))
diabetes = datasets.load_diabetes(scaled=False)
write('diabetes', diabetes.data, '<f4', diabetes.target, '<f4', features=diabetes.feature_names)
digits = datasets.load_digits()
write('digits', digits.data, 'u1', digits.target, 'u1')
