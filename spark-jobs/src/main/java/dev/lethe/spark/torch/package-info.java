/** libtorch: networks as TorchScript modules. Nothing else in Lethe names its classes. */
@NullMarked
package dev.lethe.spark.torch;

import org.jspecify.annotations.NullMarked;
