/* What the target's threads run, by the clock of every CPU: kernel and user stack of whoever of them it finds. */
#include "include/target.h"
#include "include/piece.h"

struct sampled {
  u64 samples;
};
FOLLOW(sampled)

SEC("perf_event")
int sample(void *context) {
  struct task_struct *task = current();
  struct sampled *mine = own(task);
  if (!mine) return 0;
  mine->samples++;
  tally(HITS);
  struct piece *piece = take_piece(context, task);
  if (!piece || send_piece(piece)) tally(LOST_EVENT);
  return 0;
}
