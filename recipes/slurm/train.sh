#!/usr/bin/env bash
# Trains a recipe on several nodes of a SLURM cluster, one task a node, from a checkout on a disk that all nodes share:
#   sbatch --nodes=2 --gpus-per-node=8 recipes/slurm/train.sh mistral-full-zero3 big --learning-rate 1e-5
# The first word is the recipe, the second the run; the rest goes to ecom-train. A job that was requeued goes on from the
# run's last checkpoint, or begins anew where there is none (--saves-per-epoch 10 leaves them more often); two
# minutes before its time is up the training is ended as by Ctrl-C, and the job asks to be requeued.
#SBATCH --job-name=ecom-train
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --exclusive
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=slurm-%j.log
#SBATCH --signal=B:TERM@120
set -euo pipefail

recipe=${1:?recipe is not set: sbatch recipes/slurm/train.sh RECIPE RUN}
run=${2:?run is not set: sbatch recipes/slurm/train.sh RECIPE RUN}
shift 2
cd "${SLURM_SUBMIT_DIR:?not a SLURM job: sbatch recipes/slurm/train.sh RECIPE RUN}"

if grep -qsE '"status": ?"(started|interrupted|failed)"' "runs/$run/run.json" \
  && ! compgen -G "runs/$run/adapter/checkpoint-*/trainer_state.json" > /dev/null; then
  # Under the lock that a training holds: one that has no checkpoint yet may be at work in another job.
  flock --nonblock "runs/$run/.lock" mv "runs/$run" "runs/$run.$(date +%Y%m%d%H%M%S)" \
    || { echo "error: runs/$run: is being trained by another process, or you may not move it" >&2; exit 1; }
fi
if [ -f "runs/$run/run.json" ]; then
  command=(resume "$run")
else
  gpus=${SLURM_GPUS_ON_NODE:?no GPUs in this job: sbatch --gpus-per-node=8 ...}
  command=(train "$recipe" --run "$run" --nodes "${SLURM_JOB_NUM_NODES:-1}" --gpus "$gpus" "$@")
fi

requeue() {
  kill -TERM "$training" || true
  wait "$training" && exit 0 # it came to its end all the same
  scontrol requeue "$SLURM_JOB_ID"
}
trap requeue TERM
.venv/bin/ecom-train "${command[@]}" &
training=$!
wait "$training"
