"""Convert a trained Keras model from Python, and measure what int8 cost.

Buy: nothing; run it on a workstation with the clips that the model was trained on.
Install: pip install 'edgevid[convert]'
Run: python convert_model.py action.keras clips action.edgevid
"""

import argparse

import convert

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model", help="a .keras or .h5 file, or a SavedModel folder")
parser.add_argument("clips", help="a folder of clips, <class>/<clip>")
parser.add_argument("out", help="the .edgevid file to write")
parser.add_argument(
    "--color", choices=("rgb", "bgr", "gray"), help="order of channels in training (default: in the file)"
)
args = parser.parse_args()

# Options have the names of `edgevid convert`. A conversion that loses more than its budget raises VerificationFailed.
options = convert.Options(color=args.color, max_drop=1.0, min_agreement=0.98)
done = convert.convert_model(args.model, args.clips, args.out, options=options, progress=convert.Terminal())
print(f"agreement {done.report['agreement']:.1%}, precision {done.report['precision']}, report: {done.page}")
for name in (args.model, done.path):
    print(f"{name}: accuracy {convert.evaluate(name, args.clips).accuracy:.1%}")
