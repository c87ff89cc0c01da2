"""Make a small JinaBERT reranker from larger models by knowledge distillation.

The flow of `jina-rerank-lab distill`: `recipe` reads the recipe; `pairs` reads the data, `guard`
keeps test collections out of it; `mining` adds hard negatives and `teachers` score them; `start`
makes the student; `features` and `ranking` say what it learns in a stage; `training` runs the
stages, with `checkpoints` and `dev` along the way; `card` tells what was done. `export` and `push`
are commands of their own.
"""
