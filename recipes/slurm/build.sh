#!/usr/bin/env bash
# Builds a mixture on several nodes of a SLURM cluster, from a checkout on a disk that all nodes share. It submits three
# jobs, each of which waits for the one before: shards, their second round, in which the rows of one product are brought
# together, and the build that merges them:
#   recipes/slurm/build.sh 8 recipes/mixes/ecom.yaml data/ecom --set general_share=0.05
# The first word is the number of shards, the second the specification, the third the mixture's folder; the rest goes to
# ecom-data build. What SBATCH_* variables say, such as SBATCH_PARTITION, holds for all three. A job that was requeued goes
# on where it stopped.
#SBATCH --job-name=ecom-data
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=16
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=slurm-%x-%A_%a.log
set -euo pipefail

if [ -z "${ECOM_BUILD:-}" ]; then
  usage="recipes/slurm/build.sh SHARDS SPEC OUT"
  shards=${1:?number of shards is not set: $usage}
  : "${2:?specification is not set: $usage}" "${3:?folder is not set: $usage}"
  [[ $shards =~ ^[1-9][0-9]*$ ]] || { echo "error: found $shards shards, expected a number: $usage" >&2; exit 1; }
  shift
  submit=(sbatch --export=ALL,ECOM_BUILD=1 --kill-on-invalid-dep=yes --parsable)
  first=$("${submit[@]}" --array="1-$shards" "$0" "$@")
  second=$("${submit[@]}" --array="1-$shards" --dependency="afterok:${first%%;*}" "$0" "$@")
  last=$("${submit[@]}" --dependency="afterok:${second%%;*}" "$0" "$@")
  echo "submitted ${first%%;*}, ${second%%;*} and ${last%%;*}, which merges them"
  exit
fi

cd "${SLURM_SUBMIT_DIR:?not a SLURM job: recipes/slurm/build.sh SHARDS SPEC OUT}"
spec=${1:?specification is not set} out=${2:?folder is not set}
shift 2
command=(.venv/bin/ecom-data build "$spec" --out "$out" --workers "${SLURM_CPUS_PER_TASK:-1}" "$@")
if [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then
  command+=(--shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT")
fi
exec "${command[@]}"
